"""What results say: verdicts, and whatever is printed, drawn or exported."""
