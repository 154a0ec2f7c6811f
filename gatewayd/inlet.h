/*
 * An inlet is an address where clients come in, and how they do: a line `listen`, or
 *
 *	[listener web]
 *	address = unix:/run/kennel/web.sock mode=0660 group=www-data
 *	proxy_protocol = yes
 *	proxy_trusted = 10.0.0.0/8 unix
 *
 * A key is one row of inlet.c.
 */
#ifndef GATEWAYD_INLET_H
#define GATEWAYD_INLET_H

#include <stddef.h>

#include "common/sock.h"

#define INLETS_MAX	32

struct networks;

struct inlet {
	char		*label;		/* NULL: a line `listen` */
	char		*text;		/* the address, as it was written */
	struct sock_addr address;
	int		 proxy_protocol; /* each connection begins with its head */
	char		*trusted_text;
	struct networks	*trusted;	/* who may send one; NULL: nobody */
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
/* Are there sections? */
int	 inlets_sections(const struct inlets *ins);
/* Do both say the same? */
int	 inlet_same(const struct inlet *a, const struct inlet *b);

#endif
