/*
 * All connections of a shard: what they share, from its first to its last.  The
 * struct is in conn.h.
 */
#ifndef SHARDD_CLIENTS_H
#define SHARDD_CLIENTS_H

struct clients;
struct conn;
struct conn_ops;
struct event_base;
struct gate;
struct options;

/* all is zeroed; the others are borrowed for as long.  0, or -1 with errno. */
int	 clients_init(struct clients *all, struct event_base *base,
	    const struct options *opt, struct gate *gate,
	    const struct conn_ops *ops);
/* End every connection that is still here. */
void	 clients_end(struct clients *all);
/* Everybody has gone. */
void	 clients_clear(struct clients *all);
/* Is nobody here any more? */
int	 clients_none(const struct clients *all);
/* How many does the gateway count as here? */
unsigned clients_count(struct clients *all);
/* Each connection whose place at the gateway is taken. */
void	 clients_each(struct clients *all,
	    void (*cb)(const struct conn *c, void *arg), void *arg);

#endif
