"""How far an explanation can be trusted: over named feature groups, never electrodes."""
