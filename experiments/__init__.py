"""Training experiments on the relative position bias."""
