/* The applications of a worker: their names, and what each takes. */
#ifndef SHARDD_APPLICATIONS_H
#define SHARDD_APPLICATIONS_H

#include <stdint.h>

#include "common/bytes.h"

struct kennel_app;
struct options;

struct applications {
	const struct kennel_app *at;
	size_t		 n;
	size_t		*message_max;	/* of each of them; NULL: not known yet */
	uint32_t	*places;	/* of cover_place(), without a group; or 0 */
	size_t		 launched;	/* so many of the first ones */
};

/* The application that a route names, or NULL. */
const struct kennel_app *applications_find(const struct applications *a,
	    struct slice name);
/* The options are known: how large a message each takes.  0, or -1: ENOMEM. */
int	 applications_limit(struct applications *a, const struct options *o);
/* The largest message that app takes of a client, in bytes. */
size_t	 applications_message_max(const struct applications *a,
	    const struct kennel_app *app);
/* Where app's connections that are of no group are covered. */
uint32_t *applications_place(const struct applications *a,
	    const struct kennel_app *app);
/* What is known of the applications is freed. */
void	 applications_clear(struct applications *a);
/* The process begins: 0, or -1 when one application does not want to, which the log
 * names.  And the end, of those that began. */
int	 applications_launch(struct applications *a);
void	 applications_exit(struct applications *a);

#endif
