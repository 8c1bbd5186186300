"""A recorded walk made shorter."""
