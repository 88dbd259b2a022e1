"""`kshark sessions`: a row for each session, and the choice of one."""
