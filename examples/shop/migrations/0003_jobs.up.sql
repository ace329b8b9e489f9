-- How many servers are at work on a job: never more than one.
CREATE TABLE jobs (
	name TEXT PRIMARY KEY,
	workers INTEGER NOT NULL
);
INSERT INTO jobs VALUES ('sale', 0);
