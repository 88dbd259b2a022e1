"""The texts that people read: steps and coverage in words."""
