/* Sections [uplink NAME]: the hosts of other clusters to which this one links. */
#ifndef GATEWAYD_UPLINKS_H
#define GATEWAYD_UPLINKS_H

#include <stddef.h>

struct buf;

#define UPLINKS_MAX	32

struct uplinks {
	struct uplinks_row {
		char	*label, *address, *psk_file;
		double	 cost;
	}		 list[UPLINKS_MAX];
	size_t		 n;
};

/* Zero-initialised is empty. */
void	 uplinks_clear(struct uplinks *u);
/* A section begins; one of its keys, for the last that began.  0, or -1 with *why. */
int	 uplinks_section(struct uplinks *u, const char *label,
	    const char **why);
int	 uplinks_option(struct uplinks *u, const char *key, const char *value,
	    const char **why);
/* Has each section what it needs?  0, or -1 with a sentence in err.  host: app.host of
 * [worker], or NULL. */
int	 uplinks_check(const struct uplinks *u, const char *host, char *err,
	    size_t size);
/* Append a line for each: what workers are told.  Check b->failed. */
void	 uplinks_tell(const struct uplinks *u, struct buf *b);

#endif
