/*
 * Names of what is in Redis.  '%', ':', control and non-ASCII bytes of names are
 * percent-encoded.  All return malloc'd strings, or NULL with errno ENOMEM.
 */
#ifndef PROTO_KEYS_H
#define PROTO_KEYS_H

#include <stdint.h>

#include "common/bytes.h"

#define KEYS_PREFIX	"kennel:"

/* "<node>/<slot>#<incarnation as 16 hex digits>" into dst (ADDRESS_MAX). */
void	 keys_address(char *dst, size_t size, const char *node, uint32_t slot,
	    uint64_t incarnation);
/* The other way; node_len is the length of the node's name at the start.
 * 0, or -1 with errno EINVAL. */
int	 keys_address_parse(struct slice a, size_t *node_len, uint32_t *slot,
	    uint64_t *incarnation);
/* prefix "client:" group ":" uid: hash, shard address -> open connections */
char	*keys_client(const char *prefix, struct slice group, struct slice uid);
/* The same, appended to b and not terminated. */
void	 keys_add_client(struct buf *b, const char *prefix, struct slice group,
	    struct slice uid);
/* prefix "shard:" address ":clients": set of client keys */
char	*keys_shard_clients(const char *prefix, const char *address);
/* prefix "group:" group: set of shard addresses */
char	*keys_group(const char *prefix, struct slice group);
/* The same, appended to b and not terminated. */
void	 keys_add_group(struct buf *b, const char *prefix, struct slice group);
/* prefix "shard:" address: hash with TTL */
char	*keys_shard(const char *prefix, const char *address);
/* prefix "node:" node: hash with TTL */
char	*keys_node(const char *prefix, const char *node);
/* prefix "nodes": set of the names of nodes that beat, or did, encoded */
char	*keys_nodes(const char *prefix);
/* prefix "shards": set of the addresses of shards that beat, or did */
char	*keys_shards(const char *prefix);
/* prefix "sweeper": who looks for dead shards now; expires */
char	*keys_sweeper(const char *prefix);
/* prefix "lost": stream, who went with dead shards; expires */
char	*keys_lost(const char *prefix);
/* The other way of keys_client(): group and uid, decoded to dst, which has room for
 * key.len bytes.  0, or -1: it is not such a key. */
int	 keys_client_parse(const char *prefix, struct slice key, char *dst,
	    struct slice *group, struct slice *uid);
/* prefix "places:" group ":" app: hash, node -> places of the group there */
char	*keys_places(const char *prefix, struct slice group, struct slice app);
int	 keys_places_parse(const char *prefix, struct slice key, char *dst,
	    struct slice *group, struct slice *app);
/* prefix "node:" node ":places": set of the former in which the node stands */
char	*keys_node_places(const char *prefix, const char *node);
/* prefix "shard:" address, maybe ":clients": key becomes the address, borrowed.
 * 0, or -1: it is not such a key. */
int	 keys_shard_address(const char *prefix, struct slice *key);
/* prefix "epoch:" group */
char	*keys_epoch(const char *prefix, struct slice group);
/* prefix "store:" group ":" app: hash, the state's epoch and number */
char	*keys_store(const char *prefix, struct slice group, struct slice app);
/* Append a name as it stands in keys. */
void	 keys_name(struct buf *b, struct slice s);

#endif
