"""Transactions and customers to ``features``."""
