"""`prober drill`: a whole incident as an exercise, against the configured receivers or against stand-ins for them."""
