"""The operator's tools: setup, doctor, and the sweep that repairs what events did not bring."""
