SELECT allocations.id, allocations.ip, allocations.port, allocations.server_id FROM allocations ORDER BY allocations.id LIMIT 51;
SELECT servers.id, servers.name FROM servers WHERE servers.id IN (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) AND servers.deleted_at IS NULL;
