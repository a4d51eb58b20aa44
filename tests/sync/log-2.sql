-- A log of schema 2 with a little of everything, as sqlite3's .dump has it; never to be changed.
BEGIN TRANSACTION;
CREATE TABLE audit (
	seq INTEGER NOT NULL, 
	project VARCHAR(64) NOT NULL, 
	at VARCHAR(27) NOT NULL, 
	who TEXT NOT NULL, 
	what TEXT NOT NULL, 
	subject TEXT NOT NULL, 
	why TEXT NOT NULL, 
	detail TEXT NOT NULL, 
	mark VARCHAR(96), 
	noted_at VARCHAR(27) NOT NULL, 
	PRIMARY KEY (seq), 
	UNIQUE (project, mark)
);
INSERT INTO "audit" VALUES(1,'1','2026-11-22T07:00:00.123456Z','Anna','promoted','v1-00000000','better','{"before":"the cold start"}','move 1','2026-11-22T07:00:00.123456Z');
CREATE TABLE decisions (
	seq INTEGER NOT NULL, 
	project VARCHAR(64) NOT NULL, 
	snapshot VARCHAR(64) NOT NULL, 
	child TEXT NOT NULL, 
	task INTEGER NOT NULL, 
	annotation INTEGER, 
	said VARCHAR(9) NOT NULL, 
	author INTEGER, 
	who TEXT NOT NULL, 
	answers TEXT NOT NULL, 
	why TEXT NOT NULL, 
	decided_at VARCHAR(27) NOT NULL, 
	seen_at VARCHAR(27) NOT NULL, 
	PRIMARY KEY (seq), 
	FOREIGN KEY(project) REFERENCES projects (project)
);
CREATE TABLE labels (
	project VARCHAR(64) NOT NULL, 
	control TEXT NOT NULL, 
	label TEXT NOT NULL, 
	since VARCHAR(27), 
	PRIMARY KEY (project, control, label), 
	FOREIGN KEY(project) REFERENCES projects (project)
);
CREATE TABLE listed (
	project VARCHAR(64) NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	task INTEGER NOT NULL, 
	since VARCHAR(27) NOT NULL, 
	PRIMARY KEY (project, kind, task), 
	FOREIGN KEY(project) REFERENCES projects (project)
);
INSERT INTO "listed" VALUES('1','doubt',1,'2026-11-22T07:00:00.123456Z');
CREATE TABLE meta (
	"key" VARCHAR(32) NOT NULL, 
	value TEXT, 
	PRIMARY KEY ("key")
);
INSERT INTO "meta" VALUES('schema_version','2');
CREATE TABLE projects (
	project VARCHAR(64) NOT NULL, 
	title TEXT NOT NULL, 
	connected_at VARCHAR(27) NOT NULL, 
	config TEXT NOT NULL, 
	cursor VARCHAR(27), 
	PRIMARY KEY (project)
);
INSERT INTO "projects" VALUES('1','Müller''s mail','2026-11-22T07:00:00.123456Z','<View><Text name="text" value="$text"/><Choices name="intent" toName="text"><Choice value="A"/><Choice value="B"/></Choices></View>','2026-11-22T07:09:00.123456Z');
CREATE TABLE reviews (
	seq INTEGER NOT NULL, 
	project VARCHAR(64) NOT NULL, 
	snapshot VARCHAR(64) NOT NULL, 
	review VARCHAR(64) NOT NULL, 
	created_at VARCHAR(27) NOT NULL, 
	opened_at VARCHAR(27), 
	heard VARCHAR(27), 
	closed_at VARCHAR(27), 
	report TEXT, 
	PRIMARY KEY (seq), 
	UNIQUE (project, snapshot), 
	FOREIGN KEY(project) REFERENCES projects (project)
);
CREATE TABLE revisions (
	seq INTEGER NOT NULL, 
	project VARCHAR(64) NOT NULL, 
	task INTEGER NOT NULL, 
	annotation INTEGER NOT NULL, 
	n INTEGER NOT NULL, 
	state VARCHAR(9) NOT NULL, 
	content VARCHAR(64) NOT NULL, 
	result TEXT NOT NULL, 
	author INTEGER, 
	created_at VARCHAR(27) NOT NULL, 
	updated_at VARCHAR(27) NOT NULL, 
	lead_time FLOAT, 
	ground_truth BOOLEAN NOT NULL, 
	parent_prediction INTEGER, 
	seen_at VARCHAR(27) NOT NULL, 
	PRIMARY KEY (seq), 
	UNIQUE (project, annotation, n), 
	FOREIGN KEY(project, task) REFERENCES tasks (project, task)
);
INSERT INTO "revisions" VALUES(1,'1',1,7,1,'kept','efdfbacb41defe34c55c313364403b062440592e871f735d492acfb36607fa28','[{"from_name":"intent","to_name":"text","type":"choices","value":{"choices":["A"]}}]',5,'2026-11-22T07:01:00.123456Z','2026-11-22T07:01:00.123456Z',NULL,0,NULL,'2026-11-22T07:00:00.123456Z');
INSERT INTO "revisions" VALUES(2,'1',2,8,1,'kept','10c6bcec66be542702022395987275da6acad0637579c0e9f30dc8c863af0310','[{"from_name":"intent","to_name":"text","type":"choices","value":{"choices":["B"]}}]',6,'2026-11-22T07:01:00.123456Z','2026-11-22T07:01:00.123456Z',NULL,0,NULL,'2026-11-22T07:00:00.123456Z');
INSERT INTO "revisions" VALUES(3,'1',1,7,2,'kept','2c39f0a1d71f41e7ae4b13343ff98aad976190e5d58e49d3ed418003416fd653','[{"from_name":"intent","to_name":"text","type":"choices","value":{"choices":["B"]}}]',5,'2026-11-22T07:09:00.123456Z','2026-11-22T07:09:00.123456Z',NULL,0,NULL,'2026-11-22T07:00:00.123456Z');
CREATE TABLE rounds (
	seq INTEGER NOT NULL, 
	project VARCHAR(64) NOT NULL, 
	snapshot VARCHAR(64) NOT NULL, 
	reason TEXT NOT NULL, 
	report TEXT NOT NULL, 
	upto INTEGER NOT NULL, 
	state VARCHAR(7) NOT NULL, 
	attempts INTEGER NOT NULL, 
	created_at VARCHAR(27) NOT NULL, 
	settled_at VARCHAR(27), 
	verdict TEXT, 
	PRIMARY KEY (seq), 
	FOREIGN KEY(project) REFERENCES projects (project)
);
CREATE TABLE shown (
	seq INTEGER NOT NULL, 
	project VARCHAR(64) NOT NULL, 
	task INTEGER NOT NULL, 
	version TEXT NOT NULL, 
	prediction INTEGER, 
	result TEXT NOT NULL, 
	empty BOOLEAN NOT NULL, 
	score FLOAT, 
	how VARCHAR(6) NOT NULL, 
	visible_from VARCHAR(27) NOT NULL, 
	confirmed BOOLEAN NOT NULL, 
	removed_at VARCHAR(27), 
	PRIMARY KEY (seq), 
	UNIQUE (project, prediction), 
	FOREIGN KEY(project, task) REFERENCES tasks (project, task)
);
CREATE TABLE tabs (
	project VARCHAR(64) NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	tab INTEGER NOT NULL, 
	tasks TEXT NOT NULL, 
	stamp TEXT NOT NULL, 
	deleted_at VARCHAR(27), 
	PRIMARY KEY (project, kind), 
	FOREIGN KEY(project) REFERENCES projects (project)
);
INSERT INTO "tabs" VALUES('1','doubt',4,'[1]','x',NULL);
CREATE TABLE tasks (
	project VARCHAR(64) NOT NULL, 
	task INTEGER NOT NULL, 
	data TEXT NOT NULL, 
	grp VARCHAR(64) NOT NULL, 
	blind BOOLEAN NOT NULL, 
	first_seen VARCHAR(27) NOT NULL, 
	deleted_at VARCHAR(27), 
	PRIMARY KEY (project, task), 
	FOREIGN KEY(project) REFERENCES projects (project)
);
INSERT INTO "tasks" VALUES('1',1,'{"text":"it''s late; DROP TABLE tasks"}','g1',0,'2026-11-22T07:00:00.123456Z',NULL);
INSERT INTO "tasks" VALUES('1',2,'{"text":"a NUL \u0000 and a lone \ud800"}','g2',1,'2026-11-22T07:00:00.123456Z',NULL);
INSERT INTO "tasks" VALUES('1',3,'{"text":"open"}','g3',0,'2026-11-22T07:00:00.123456Z',NULL);
CREATE TABLE tombstones (
	project VARCHAR(64) NOT NULL, 
	kind VARCHAR(10) NOT NULL, 
	id INTEGER NOT NULL, 
	at VARCHAR(27) NOT NULL, 
	PRIMARY KEY (project, kind, id)
);
INSERT INTO "tombstones" VALUES('1','task',99,'2026-11-22T07:00:00.123456Z');
CREATE TABLE versions (
	seq INTEGER NOT NULL, 
	project VARCHAR(64) NOT NULL, 
	version TEXT NOT NULL, 
	visible_from VARCHAR(27) NOT NULL, 
	PRIMARY KEY (seq), 
	FOREIGN KEY(project) REFERENCES projects (project)
);
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append only'); END;
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append only'); END;
CREATE INDEX rounds_of_project ON rounds (project, state);
CREATE INDEX decisions_of_review ON decisions (project, snapshot);
CREATE INDEX revisions_of_task ON revisions (project, task);
CREATE INDEX shown_on_task ON shown (project, task);
CREATE INDEX shown_of_version ON shown (project, version);
CREATE INDEX revisions_by_author ON revisions (project, author);
COMMIT;
