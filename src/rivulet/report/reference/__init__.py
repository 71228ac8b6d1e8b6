"""What a finished run answers, as a page of Markdown with a figure."""
