"""The format of capture files: their lines, their entries, and the forms that other programs write."""
