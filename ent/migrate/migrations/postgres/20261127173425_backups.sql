-- +goose Up
-- modify "backups" table
ALTER TABLE "backups" ADD COLUMN "files" bigint NULL, ADD COLUMN "cancelling" boolean NOT NULL DEFAULT false, ADD COLUMN "upload_id" character varying NULL, ADD COLUMN "deleted_at" timestamptz NULL;
-- create index "backup_deleted_at" to table: "backups"
CREATE INDEX "backup_deleted_at" ON "backups" ("deleted_at");
-- modify "servers" table
ALTER TABLE "servers" ADD COLUMN "backup_keep" bigint NULL, ADD COLUMN "backup_keep_days" bigint NULL, ADD COLUMN "restore" bigint NOT NULL DEFAULT 0, ADD COLUMN "restore_backup_id" character varying NULL, ADD COLUMN "restore_truncate" boolean NOT NULL DEFAULT false, ADD COLUMN "restore_paths" jsonb NULL;

-- +goose Down
-- reverse: modify "servers" table
ALTER TABLE "servers" DROP COLUMN "restore_paths", DROP COLUMN "restore_truncate", DROP COLUMN "restore_backup_id", DROP COLUMN "restore", DROP COLUMN "backup_keep_days", DROP COLUMN "backup_keep";
-- reverse: create index "backup_deleted_at" to table: "backups"
DROP INDEX "backup_deleted_at";
-- reverse: modify "backups" table
ALTER TABLE "backups" DROP COLUMN "deleted_at", DROP COLUMN "upload_id", DROP COLUMN "cancelling", DROP COLUMN "files";
