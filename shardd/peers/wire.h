/*
 * Unix sockets between the shards of a node, which carry their links: this shard's
 * listens at a path, and dials those of the peers with a higher slot.
 */
#ifndef SHARDD_WIRE_H
#define SHARDD_WIRE_H

struct links;
struct wires;

/* Listen at path, and dial for ls from now on.  NULL with errno. */
struct wires *wires_new(struct links *ls, const char *path);
/* No more of either; wires of links stay with those.  Free before links_free(). */
void	 wires_free(struct wires *ws);

#endif
