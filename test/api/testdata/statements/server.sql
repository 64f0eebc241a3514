SELECT servers.id, servers.name, servers.state, servers.memory, servers.cpu, servers.disk, servers.owner_id, servers.node_id, servers.template_id FROM servers WHERE servers.id = ? AND servers.deleted_at IS NULL LIMIT 2;
SELECT users.id, users.username FROM users WHERE users.id IN (?);
SELECT nodes.id, nodes.name, nodes.online FROM nodes WHERE nodes.id IN (?);
SELECT templates.id, templates.name FROM templates WHERE templates.id IN (?);
WITH src_query AS (SELECT allocations.id, allocations.ip, allocations.port, allocations.server_id FROM allocations WHERE allocations.server_id IN (?)), limited_query AS (SELECT *, (ROW_NUMBER() OVER (PARTITION BY server_id ORDER BY id ASC)) AS row_number FROM src_query) SELECT id, ip, port, server_id FROM limited_query AS allocations WHERE allocations.row_number <= ?;
