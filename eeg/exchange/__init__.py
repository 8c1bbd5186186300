"""Parts of the signal, exchanged between windows: what decisions go along with."""
