-- +goose Up
-- modify "servers" table
ALTER TABLE "servers" ADD COLUMN "install" bigint NOT NULL DEFAULT 0, ADD COLUMN "install_seq" bigint NOT NULL DEFAULT 0;
-- modify "templates" table
ALTER TABLE "templates" ADD COLUMN "install_clear" boolean NOT NULL DEFAULT false, ADD COLUMN "install_keep" jsonb NOT NULL;

-- +goose Down
-- reverse: modify "templates" table
ALTER TABLE "templates" DROP COLUMN "install_keep", DROP COLUMN "install_clear";
-- reverse: modify "servers" table
ALTER TABLE "servers" DROP COLUMN "install_seq", DROP COLUMN "install";
