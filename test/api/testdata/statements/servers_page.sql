SELECT COUNT(servers.id) FROM servers WHERE servers.deleted_at IS NULL;
SELECT servers.id, servers.name, servers.state FROM servers WHERE servers.deleted_at IS NULL ORDER BY servers.id LIMIT 26;
