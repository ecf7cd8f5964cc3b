"""What gradient-trained methods share: the gates, the items they train on, and the two gradient estimators."""
