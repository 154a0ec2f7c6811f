/*
 * One connection to a Redis server: commands out, replies in.  It knows nothing of
 * which reply belongs to which command.
 */
#ifndef COMMON_REDIS_CONN_H
#define COMMON_REDIS_CONN_H

#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"

struct event;
struct event_base;
struct redis_conn;
struct redisReader;	/* hiredis' */
struct redisReply;
struct redis_url;
struct sock_addr;
struct tls;

struct redis_conn_ops {
	/* Around all that an event may call: between the two the memory of c stays,
	 * whatever a callback frees. */
	void	(*enter)(struct redis_conn *c);
	void	(*leave)(struct redis_conn *c);
	/* A reply, which is freed afterwards: NULL, or why c must end. */
	const char *(*reply)(struct redis_conn *c, const struct redisReply *raw);
	/* c must end: closes it. */
	void	(*lost)(struct redis_conn *c, const char *why);
};

struct redis_conn {
	const struct redis_conn_ops *ops;
	int		 fd;		/* -1: none */
	struct tls	*tls;		/* NULL: bare */
	int		 stuck;		/* TLS must read before it can send */
	char		 why[256];	/* that it could not be opened */
	struct redisReader *reader;
	size_t		 unfinished;	/* bytes of the reply that is coming */
	uint64_t	 heard;		/* clock_ms of the last bytes */
	uint64_t	 heard_ns;	/* the same, clock_ns */
	struct buf	 out;
	size_t		 out_at;	/* of it, with the kernel */
	struct event	*ev_read, *ev_write;
};

void	 redis_conn_init(struct redis_conn *c, const struct redis_conn_ops *ops);
/* Begin to connect, with TLS if url says so, whose certificate names host: NULL, or
 * why not, and c is to be closed. */
const char *redis_conn_open(struct redis_conn *c, struct event_base *base,
	    const struct sock_addr *a, const struct redis_url *url,
	    const char *host);
void	 redis_conn_close(struct redis_conn *c);
/* Is there TLS that has not come about yet? */
int	 redis_conn_shaking(const struct redis_conn *c);
/* Encode a command; it is sent when the callbacks of this turn have run.
 * 0, or -1 without memory. */
int	 redis_conn_write(struct redis_conn *c, int argc,
	    const char *const *argv, const size_t *argvlen);
/* Send what waits, at once, for at most ms: for who ends the connection behind it. */
void	 redis_conn_flush(struct redis_conn *c, unsigned ms);

#endif
