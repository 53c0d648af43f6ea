"""What must survive: each trigger's intent, from before it is sent until its caller has learnt its run."""
