/*
 * What takes effect in a replica: the journal moves on, the application hears, our own
 * steps are answered.
 */
#ifndef SHARDD_EFFECT_H
#define SHARDD_EFFECT_H

#include <stdint.h>

#include "shardd/state/inside.h"

/* The next news.  0, or -1: data is none. */
int	 effect_apply(struct authority *a, uint64_t era, const char *data,
	    size_t len);
/* All of the state is another one: the application hears. */
void	 effect_reset(struct authority *a);
/* As a state tells it (at our position): how far our own steps have come. */
void	 effect_recall(struct authority *a, const struct mark *k);

/* Has that step killed those who decided it? */
int	 effect_is_poison(const struct authority *a, uint64_t origin,
	    uint64_t number);
void	 effect_poison(struct authority *a, uint64_t origin, uint64_t number);

/* A neighbour that ended; NULL: none of that id is remembered. */
struct departed *effect_departed(struct authority *a, uint64_t id);
void	 departed_free(struct departed *d);
/* said: in the news only, the gateway's farewell is to come. */
void	 effect_remember(struct authority *a, uint64_t id, int said);

#endif
