/* The settings are all that flags and the INI file say, as one struct. */
#ifndef GATEWAYD_SETTINGS_H
#define GATEWAYD_SETTINGS_H

#include <sys/types.h>

#include <stddef.h>
#include <stdint.h>

#include "common/log.h"
#include "gatewayd/inlet.h"
#include "gatewayd/uplinks.h"

#define RUN_DIR_MAX	80	/* bytes; a socket's path has at most 107 */

struct networks;
struct routes;

struct settings_option {		/* what workers are told */
	char	*key, *value;
	int	 said;			/* in [worker] */
	int	 live;			/* counts for those that run, too */
};

#define SETTINGS_ROWS	64		/* at least so many keys of [gateway] */

struct settings {
	char		*worker;		/* path, resolved */
	struct inlets	 inlets;		/* where clients come in */
	struct uplinks	 uplinks;		/* to other clusters */
	unsigned	 shards, max_shards;
	unsigned	 limit;			/* 0: as the routes say */
	uint64_t	 flags;			/* keys that flags gave, a bit each */
	char		*read[SETTINGS_ROWS];	/* each as it was read, in words */
	unsigned	 capacity;		/* 0: by RLIMIT_NOFILE */
	char		*run_dir, *state_dir, *config;
	char		*redis;			/* "auto", "none" or a URL */
	char		*redis_prefix;
	char		*redis_user, *redis_password_file; /* NULL: not said */
	char		*redis_ca_file, *redis_cert_file, *redis_key_file;
	char		*node;			/* NULL until identity.c has one */
	enum log_level	 log_level;
	char		*admin;			/* "none", or an address */
	struct sock_addr admin_addr;		/* len 0: none */
	enum log_format	 log_format;
	int		 check;
	unsigned	 faults;		/* found by it */
	/* [gateway] */
	char		*cluster_key_file;	/* NULL: not said */
	int		 cluster;		/* it may be one of several nodes */
	unsigned	 leave_pause_ms;	/* from "not ready" to the drain */
	int		 ready_redis;		/* 0: it is ready without Redis */
	unsigned	 head_ms;		/* 10 000: request head */
	size_t		 line_max, head_max, headers_max;
	size_t		 keep_max;		/* 4 KiB of header fields */
	unsigned	 handshakes_max;	/* 10 000 in progress */
	unsigned	 home_max;		/* 10 000 idle at home */
	unsigned	 home_ms;		/* 15 000 */
	unsigned	 waiting_max;		/* 1 000 waiting for a shard */
	unsigned	 linger_max;		/* 1 000 refused, not yet closed */
	unsigned	 watchdog_ms;		/* 10 000 */
	unsigned	 drain_ms;		/* 10 000 */
	int		 cover;			/* 1; connections outlive shards */
	unsigned	 move_rate;		/* 2000 connections a second */
	int		 balance;		/* 0; even out by itself */
	unsigned	 balance_rate;		/* 500 connections a second */
	unsigned	 upgrade_hold_ms;	/* 60 000: old shards are kept */
	unsigned	 upgrade_wait_ms;	/* 600 000: for what hangs */
	unsigned	 idle_shard_ms;		/* 60 000: one above `shards` */
	unsigned	 orphan_ms;		/* 60 000: shards without a gateway */
	unsigned	 backlog;		/* 4096 */
	unsigned	 per_address;		/* connections; 0: any number */
	unsigned	 accept_rate;		/* a second; 0: any number */
	char		*user;			/* NULL: who we are */
	uid_t		 uid;			/* to be from the start on */
	gid_t		 gid;
	int		 seccomp;		/* 1 for shardd, else 0 */
	int		 core;			/* 0; files, and debuggers */
	/* Handed to the workers: [worker], in bytes and milliseconds, and drain_ms,
	 * orphan_ms, shards, links (a line each: "<path> <about>"),
	 * route.LABEL.KEY. */
	struct settings_option *options;
	size_t		 noptions;
	struct networks	*proxies;	/* trusted_proxies; NULL: none */
	struct routes	*routes;
	int		 own_routes;	/* built in, for a worker not ours */
};

void	 settings_free(struct settings *s);
/* Is Redis one that other nodes may use, too? */
int	 settings_shared(const struct settings *s);
/* A key of [worker], as the workers are told it, or NULL. */
const char *settings_find(const struct settings *s, const char *key);

#endif
