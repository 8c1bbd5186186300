"""How good an explanation is: faithfulness, localisation, randomisation, stability, agreement, complexity."""
