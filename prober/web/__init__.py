"""What the serving process shows over HTTP: metrics, health, reload, /probe and the page of the current state."""
