"""Parts of detection: files of a commit, configurations, models, test cases, and the changes of one lineage."""
