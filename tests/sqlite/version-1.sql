-- A database as schema version 1 left it, with something of everything in it.
-- It is not to be changed: it stands for those that exist.
CREATE TABLE queues (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, size
	INTEGER NOT NULL DEFAULT 0, next INTEGER NOT NULL DEFAULT 1);
CREATE TABLE tasks (number INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
CREATE TABLE waiting (queue INTEGER NOT NULL, priority INTEGER NOT NULL, seq
	INTEGER NOT NULL, number INTEGER NOT NULL, recovered INTEGER NOT NULL,
	PRIMARY KEY (queue, priority, seq)) WITHOUT ROWID;
CREATE TABLE delayed (queue INTEGER NOT NULL, due INTEGER NOT NULL, number
	INTEGER NOT NULL, priority INTEGER NOT NULL, PRIMARY KEY (queue, due,
	number)) WITHOUT ROWID;
CREATE TABLE inflight (worker INTEGER NOT NULL, number INTEGER NOT NULL, queue
	INTEGER NOT NULL, priority INTEGER NOT NULL, seq INTEGER NOT NULL, PRIMARY
	KEY (worker, number)) WITHOUT ROWID;
CREATE TABLE dead (number INTEGER PRIMARY KEY, queue INTEGER NOT NULL, died
	INTEGER NOT NULL, id TEXT NOT NULL, bytes BLOB NOT NULL, info TEXT NOT NULL);
CREATE TABLE uniques (queue INTEGER NOT NULL, key TEXT NOT NULL, id TEXT NOT
	NULL, expires INTEGER NOT NULL, PRIMARY KEY (queue, key)) WITHOUT ROWID;
CREATE TABLE results (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,
	record BLOB NOT NULL, final INTEGER NOT NULL, expires INTEGER);
CREATE TABLE registry (name TEXT PRIMARY KEY, description TEXT NOT NULL)
	WITHOUT ROWID;
CREATE TABLE workers (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL
	UNIQUE, description TEXT NOT NULL DEFAULT '', expires INTEGER NOT NULL
	DEFAULT 0, port TEXT NOT NULL);
CREATE TABLE orders (number INTEGER PRIMARY KEY AUTOINCREMENT, message TEXT
	NOT NULL, given INTEGER NOT NULL);
CREATE TABLE sleepers (queue INTEGER NOT NULL, port TEXT NOT NULL, PRIMARY KEY
	(queue, port)) WITHOUT ROWID;
CREATE TABLE waiters (id TEXT NOT NULL, port TEXT NOT NULL, PRIMARY KEY (id,
	port)) WITHOUT ROWID;
CREATE INDEX dead_died ON dead (queue, died);
CREATE UNIQUE INDEX dead_id ON dead (queue, id) WHERE id <> '';
CREATE INDEX uniques_expires ON uniques (expires);
CREATE INDEX results_expires ON results (expires) WHERE expires IS NOT NULL;
INSERT INTO queues VALUES (1, 'io', 4, 8), (2, 'cpu', 0, 1);
INSERT INTO tasks VALUES
	(1099511627777, CAST('{"id":"first"}' AS BLOB)),
	(1099511627778, CAST('{"id":"prior"}' AS BLOB)),
	(1099511627779, CAST('{"id":"later"}' AS BLOB)),
	(1099511627780, CAST('{"id":"taken"}' AS BLOB)),
	(1099511627782, CAST('{"id":"moved"}' AS BLOB));
INSERT INTO waiting VALUES
	(1, -5, 2, 1099511627778, 0), (1, 0, 1, 1099511627777, 0), (1, 0, 7, 1099511627782, 0);
INSERT INTO delayed VALUES (1, 4102444800000, 1099511627779, 0);
INSERT INTO inflight VALUES (1, 1099511627780, 1, 0, 4);
INSERT INTO workers VALUES (1, 'host:a', '{}', 1, '');
INSERT INTO dead VALUES (1, 1, 1700000000000, 'dead',
	CAST('{"id":"dead"}' AS BLOB), '{"reason":"failed"}');
INSERT INTO results VALUES
	(1, 'done', CAST('{"task_id":"done","status":"success"}' AS BLOB), 1,
	NULL),
	(2, 'dead', CAST('{"task_id":"dead","status":"failed"}' AS BLOB), 1,
	4102444800000),
	(3, 'odd', CAST('no JSON' AS BLOB), 1, NULL),
	(4, 'first', CAST('{"task_id":"first","status":"pending"}' AS BLOB), 0,
	NULL);
INSERT INTO registry VALUES ('add', '{"queue":"io"}');
PRAGMA application_id = 1181501298;
PRAGMA user_version = 1;
