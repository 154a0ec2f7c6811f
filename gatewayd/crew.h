/* The crew are the shards that are always to run, as many as `shards` says: which slots
 * are theirs, and how many processes there are. */
#ifndef GATEWAYD_CREW_H
#define GATEWAYD_CREW_H

#include <stddef.h>

struct shard;
struct shards;

/* Processes that serve, will, or may; leaving ones do not. */
size_t	 crew_active(const struct shards *all);
/* The same without `but` and those that are to be emptied. */
size_t	 crew_staying(const struct shards *all, const struct shard *but);
/* Processes that take newcomers, or soon will. */
size_t	 crew_serving(const struct shards *all);
/* Is there one that was found and whose incarnation is not known? */
int	 crew_unnamed(const struct shards *all);
/* Slots that always have a shard, or are to have one. */
size_t	 crew_kept(const struct shards *all);
/* Those of them that the operator keeps empty. */
size_t	 crew_vacant(const struct shards *all);
/* The newest of those that are not kept, for they were started when all were full, if
 * nobody has used it for a while; NULL: none, or another one is leaving. */
struct shard *crew_idle(struct shards *all);
/* As many as `shards` are kept, as far as there are that many. */
void	 crew_keep(struct shards *all);

#endif
