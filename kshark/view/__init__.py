"""The view of a session's steps that several commands share: lines, layout, step numbers, references to steps."""
