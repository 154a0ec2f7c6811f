/*
 * Why the gateway itself refused somebody: one table for the answer, the metrics and
 * the log.
 */
#ifndef GATEWAYD_REFUSAL_H
#define GATEWAYD_REFUSAL_H

#include <stddef.h>

/*	symbol		label		status	Retry-After, s	answer */
#define REFUSAL_TABLE(X)						\
	X(MALFORMED,	"malformed",	400, 0,	NULL)			\
	X(SLOW,		"slow-head",	408, 0,	"Request Timeout: the request's head took too long") \
	X(NO_ROUTE,	"no-route",	404, 0,	NULL)			\
	X(BAD_NAME,	"bad-name",	400, 0,	NULL)			\
	X(ORIGIN,	"origin",	403, 0,	"Forbidden: pages of this origin may not use it") \
	X(FIELDS,	"fields",	431, 0,	"Request Header Fields Too Large: those that the connection keeps") \
	X(ADDRESS,	"address",	503, 1,	"Service Unavailable: too many connections from your address") \
	X(ACCEPT_RATE,	"accept-rate",	503, 2,	NULL)			\
	X(PROXY,	"proxy-head",	400, 0,	NULL)			\
	X(DESCRIPTORS,	"descriptors",	503, 2,	NULL)			\
	X(HANDSHAKES,	"handshakes",	503, 1,	"Service Unavailable: too many handshakes in progress") \
	X(MEMORY,	"memory",	503, 1,	NULL)			\
	X(LEAVING,	"leaving",	503, 1,	"Service Unavailable: shutting down") \
	X(FULL,		"full",		503, 1,	"Service Unavailable: all is full") \
	X(GROUP,	"group-full",	503, 1,	"Service Unavailable: the group is full") \
	X(UNCOUNTED,	"group-uncounted", 503, 1, "Service Unavailable: how full the group is cannot be found out now") \
	X(WAITING,	"waiting",	503, 1,	"Service Unavailable: too many are waiting") \
	X(NO_SHARD,	"no-shard",	503, 1,	"Service Unavailable: no shard started in time") \
	X(LOST,		"lost",		503, 1,	"Service Unavailable: it could not be handed over")

enum refusal {
#define REFUSAL_ENUM(sym, label, status, after, text) REFUSED_##sym,
	REFUSAL_TABLE(REFUSAL_ENUM)
#undef REFUSAL_ENUM
	REFUSED_NWHYS
};

/* As metrics and the log have it: static. */
const char *refusal_label(enum refusal why);
int	 refusal_status(enum refusal why);	/* of HTTP */
unsigned refusal_after(enum refusal why);	/* seconds; 0: not to come again */
/* What the client reads; NULL: the status' own words, or what the parser says. */
const char *refusal_text(enum refusal why);

#endif
