-- The tables of schema version 9, empty.
-- It is not to be changed: it stands for the files that exist.
CREATE TABLE queues ( id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, size
INTEGER NOT NULL DEFAULT 0, next INTEGER NOT NULL DEFAULT 1, paused INTEGER
NOT NULL DEFAULT 0, delayed INTEGER NOT NULL DEFAULT 0, dead INTEGER NOT NULL
DEFAULT 0, set_aside INTEGER NOT NULL DEFAULT 0, idle INTEGER NOT NULL DEFAULT
0);
CREATE TABLE tasks ( number INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
CREATE TABLE waiting ( queue INTEGER NOT NULL, priority INTEGER NOT NULL, seq
INTEGER NOT NULL, number INTEGER NOT NULL, recovered INTEGER NOT NULL, PRIMARY
KEY (queue, priority, seq)) WITHOUT ROWID;
CREATE TABLE delayed ( queue INTEGER NOT NULL, due INTEGER NOT NULL, number
INTEGER NOT NULL, priority INTEGER NOT NULL, PRIMARY KEY (queue, due, number))
WITHOUT ROWID;
CREATE TABLE inflight ( worker INTEGER NOT NULL, number INTEGER NOT NULL,
queue INTEGER NOT NULL, priority INTEGER NOT NULL, seq INTEGER NOT NULL,
PRIMARY KEY (worker, number)) WITHOUT ROWID;
CREATE TABLE dead ( number INTEGER PRIMARY KEY, queue INTEGER NOT NULL, died
INTEGER NOT NULL, id TEXT NOT NULL, bytes BLOB NOT NULL, info TEXT NOT NULL);
CREATE INDEX dead_died ON dead (queue, died);
CREATE UNIQUE INDEX dead_id ON dead (queue, id) WHERE id <> '';
CREATE TABLE uniques ( queue INTEGER NOT NULL, key TEXT NOT NULL, id TEXT NOT
NULL, expires INTEGER NOT NULL, PRIMARY KEY (queue, key)) WITHOUT ROWID;
CREATE INDEX uniques_expires ON uniques (expires);
CREATE TABLE results ( number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,
record BLOB NOT NULL, final INTEGER NOT NULL, expires INTEGER, task INTEGER,
failed INTEGER NOT NULL DEFAULT 0, ended INTEGER);
CREATE INDEX results_expires ON results (expires) WHERE expires IS NOT NULL;
CREATE TABLE registry ( name TEXT PRIMARY KEY, description TEXT NOT NULL, idle
INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE TABLE workers ( id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT
NULL UNIQUE, description TEXT NOT NULL DEFAULT '', expires INTEGER NOT NULL
DEFAULT 0, port TEXT NOT NULL, token TEXT NOT NULL DEFAULT '');
CREATE TABLE orders ( number INTEGER PRIMARY KEY AUTOINCREMENT, message TEXT
NOT NULL, given INTEGER NOT NULL);
CREATE TABLE sleepers ( queue INTEGER NOT NULL, port TEXT NOT NULL, PRIMARY
KEY (queue, port)) WITHOUT ROWID;
CREATE TABLE waiters ( id TEXT NOT NULL, port TEXT NOT NULL, PRIMARY KEY (id,
port)) WITHOUT ROWID;
CREATE TRIGGER delayed_added AFTER INSERT ON delayed BEGIN UPDATE queues SET
delayed = delayed + 1 WHERE id = new.queue; END;
CREATE TRIGGER delayed_dropped AFTER DELETE ON delayed BEGIN UPDATE queues SET
delayed = delayed - 1 WHERE id = old.queue; END;
CREATE TRIGGER dead_added AFTER INSERT ON dead BEGIN UPDATE queues SET dead =
dead + 1 WHERE id = new.queue; END;
CREATE TRIGGER dead_dropped AFTER DELETE ON dead BEGIN UPDATE queues SET dead
= dead - 1 WHERE id = old.queue; END;
CREATE INDEX delayed_number ON delayed (number);
CREATE INDEX waiting_moved ON waiting (number) WHERE priority <> 0 OR seq <>
(number & 1099511627775);
CREATE INDEX results_ended ON results (failed, ended) WHERE ended IS NOT NULL;
CREATE TABLE totals ( succeeded INTEGER NOT NULL, failed INTEGER NOT NULL);
CREATE TABLE listeners ( number INTEGER PRIMARY KEY AUTOINCREMENT, port TEXT
NOT NULL, seen INTEGER NOT NULL, asleep INTEGER NOT NULL, whole INTEGER NOT
NULL DEFAULT 1);
CREATE TABLE events ( number INTEGER PRIMARY KEY AUTOINCREMENT, made INTEGER
NOT NULL, total INTEGER NOT NULL, event BLOB NOT NULL, whole INTEGER NOT NULL
DEFAULT 1);
CREATE TABLE served ( queue INTEGER NOT NULL, name TEXT NOT NULL, worker
INTEGER NOT NULL, PRIMARY KEY (queue, name, worker)) WITHOUT ROWID;
CREATE INDEX served_worker ON served (worker, queue);
CREATE TABLE set_aside ( queue INTEGER NOT NULL, name TEXT NOT NULL, priority
INTEGER NOT NULL, seq INTEGER NOT NULL, number INTEGER NOT NULL, PRIMARY KEY
(queue, name, priority, seq)) WITHOUT ROWID;
CREATE INDEX set_aside_order ON set_aside (queue, priority, seq);
CREATE INDEX set_aside_number ON set_aside (number);
CREATE TABLE unknown ( queue INTEGER NOT NULL, name TEXT NOT NULL, met INTEGER
NOT NULL, PRIMARY KEY (queue, name)) WITHOUT ROWID;
CREATE TRIGGER set_aside_added AFTER INSERT ON set_aside BEGIN UPDATE queues
SET set_aside = set_aside + 1 WHERE id = new.queue; END;
CREATE TRIGGER set_aside_dropped AFTER DELETE ON set_aside BEGIN UPDATE queues
SET set_aside = set_aside - 1 WHERE id = old.queue; END;
CREATE TABLE measures ( step INTEGER NOT NULL, begin INTEGER NOT NULL, queue
TEXT NOT NULL, task TEXT NOT NULL, what INTEGER NOT NULL, n INTEGER NOT NULL,
PRIMARY KEY (step, begin, queue, task, what)) WITHOUT ROWID;
INSERT INTO totals VALUES (0, 0);
PRAGMA application_id = 1181501298;
PRAGMA user_version = 9;
