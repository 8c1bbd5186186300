"""The viewer of a report: signals of windows with relevance behind them, in the page itself."""
