-- +goose Up
-- modify "server_logs" table
ALTER TABLE "server_logs" ADD COLUMN "bytes_upto" bigint NOT NULL DEFAULT 0;
-- modify "servers" table
ALTER TABLE "servers" ADD COLUMN "console_bytes" bigint NOT NULL DEFAULT 0;

-- +goose Down
-- reverse: modify "servers" table
ALTER TABLE "servers" DROP COLUMN "console_bytes";
-- reverse: modify "server_logs" table
ALTER TABLE "server_logs" DROP COLUMN "bytes_upto";
