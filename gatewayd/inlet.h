/*
 * An inlet is an address where clients come in, and how they do: a line `listen`, or
 *
 *	[listener web]
 *	address = unix:/run/kennel/web.sock mode=0660 group=www-data
 *	proxy_protocol = yes
 *	proxy_trusted = 10.0.0.0/8 unix
 *
 * A key is one row of inlet.c.  With the key app, those who connect are handed over as
 * they are, to be served in a protocol of that application's: its keys app, group, uid,
 * limit and those of proto/policy.h are a route's without a path.
 */
#ifndef GATEWAYD_INLET_H
#define GATEWAYD_INLET_H

#include <stddef.h>

#include "common/bytes.h"
#include "common/sock.h"

#define INLETS_MAX	32

struct networks;
struct route;

enum inlet_always { ALWAYS_UNSAID, ALWAYS_NO, ALWAYS_YES };

struct inlet {
	char		*label;		/* NULL: a line `listen` */
	char		*text;		/* the address, as it was written */
	struct sock_addr address;
	int		 proxy_protocol; /* each connection begins with its head */
	enum inlet_always always;	/* is its group there without clients? */
	int		 built_in;	/* nobody has asked for it */
	char		*trusted_text;
	struct networks	*trusted;	/* who may send one; NULL: nobody */
	struct route	*route;		/* what raw clients are to have; NULL: HTTP */
	struct buf	 settings;	/* what its application is told: lines, a key,
					   ' ', its value; with route */
};

/* Zero-initialised is an empty list. */
struct inlets {
	struct inlet	 list[INLETS_MAX];
	size_t		 n;
};

void	 inlets_clear(struct inlets *ins);
/* A line `listen`: 0, or -1 with *why. */
int	 inlets_listen(struct inlets *ins, const char *address,
	    const char **why);
/* Forget the lines `listen`. */
void	 inlets_unlisten(struct inlets *ins);
/* The sections so far are those of the built-in configuration; and they are forgotten. */
void	 inlets_set_built_in(struct inlets *ins);
void	 inlets_drop_built_in(struct inlets *ins);
/* A section begins; one of its keys, for the last that began.  0, or -1 with *why. */
int	 inlets_section(struct inlets *ins, const char *label,
	    const char **why);
int	 inlets_option(struct inlets *ins, const char *key, const char *value,
	    const char **why);
/* Has each section what it needs?  0, or -1 with a sentence in err. */
int	 inlets_check(const struct inlets *ins, char *err, size_t size);
/* The section of that label, or NULL. */
const struct inlet *inlets_find(const struct inlets *ins, const char *label,
	    size_t len);
/* Are there sections that are not built in? */
int	 inlets_sections(const struct inlets *ins);
/* What workers are told of a raw listener: lines as in settings. */
void	 inlet_tell(const struct inlet *in, struct buf *b);
/* Is there its group, which has one name, though nobody is connected?  unsaid: is it so where
 * the section does not say it? */
int	 inlet_is_always(const struct inlet *in, int unsaid);
/* Are the raw connections of both to be the same? */
int	 inlet_same_route(const struct inlet *a, const struct inlet *b);
/* Give in what raw connections of fresh are to be, and fresh what in had. */
void	 inlet_swap_route(struct inlet *in, struct inlet *fresh);
/* Do both say the same, but for that? */
int	 inlet_same(const struct inlet *a, const struct inlet *b);

#endif
