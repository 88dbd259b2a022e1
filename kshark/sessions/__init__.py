"""`kshark sessions`: a table of sessions, and the choice of one of them."""
