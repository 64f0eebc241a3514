-- +goose Up
-- modify "servers" table
ALTER TABLE "servers" ADD COLUMN "crash_resets" bigint NOT NULL DEFAULT 0;
-- drop index "template_slug" from table: "templates"
DROP INDEX "template_slug";
-- create index "template_slug" to table: "templates"
CREATE UNIQUE INDEX "template_slug" ON "templates" ("slug");

-- +goose Down
-- reverse: create index "template_slug" to table: "templates"
DROP INDEX "template_slug";
-- reverse: drop index "template_slug" from table: "templates"
CREATE INDEX "template_slug" ON "templates" ("slug");
-- reverse: modify "servers" table
ALTER TABLE "servers" DROP COLUMN "crash_resets";
