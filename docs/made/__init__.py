"""What of the documents is made from the program itself, so that it cannot say otherwise than the program does."""
