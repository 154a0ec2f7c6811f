/* What a gatewayd says of itself: the node, its shards, its groups. */
#ifndef GATEWAYD_CTL_LOOK_H
#define GATEWAYD_CTL_LOOK_H

#include <stdio.h>

struct invocation;
struct json_t;

/* Verbs: they return the exit status. */
int	 look_status(const struct invocation *v);
int	 look_shards_verb(const struct invocation *v);
int	 look_groups_verb(const struct invocation *v);
int	 look_check_verb(const struct invocation *v);
int	 look_ready(const struct invocation *v);

/* For people: the status; its member shards; its member groups. */
void	 look_all(const struct json_t *status, FILE *out);
void	 look_shards(const struct json_t *shards, FILE *out);
void	 look_groups(const struct json_t *groups, FILE *out);

#endif
