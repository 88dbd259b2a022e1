"""What the recorder takes from the system and the program around it: threads, time, waits, forks and the end."""
