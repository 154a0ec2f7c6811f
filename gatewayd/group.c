/* Groups, their replicas, and where there is room. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "gatewayd/group.h"
#include "gatewayd/member.h"
#include "gatewayd/placement_in.h"
#include "gatewayd/places.h"

#define GROUP_KEY_MAX	(APP_MAX + 1 + GROUP_MAX)

/* The key of a group: application, NUL, name.  Its length. */
static size_t
group_key(char *key, struct slice app, struct slice name)
{
	if (app.len > 0)
		memcpy(key, app.data, app.len);
	key[app.len] = '\0';
	if (name.len > 0)
		memcpy(key + app.len + 1, name.data, name.len);
	return (app.len + 1 + name.len);
}

struct group *
group_named(const struct placement *p, struct slice app, struct slice name)
{
	char		 key[GROUP_KEY_MAX];
	struct map_node	*n;

	if (app.len > APP_MAX || name.len > GROUP_MAX)
		return (NULL);
	n = map_find(&p->by_name, key, group_key(key, app, name));
	return (n == NULL ? NULL : container_of(n, struct group, by_name));
}

struct group *
group_begin(struct placement *p, struct slice app, struct slice name,
    uint32_t limit)
{
	struct group	*g;
	char		*key;
	size_t		 len;

	if (app.len > APP_MAX || name.len > GROUP_MAX ||
	    (g = calloc(1, sizeof(*g) + app.len + name.len + 2)) == NULL)
		return (NULL);
	key = (char *)(g + 1);
	len = group_key(key, app, name);
	if (map_insert(&p->by_name, &g->by_name, key, len) == -1) {
		free(g);
		return (NULL);
	}
	memcpy(g->app, key, app.len);
	g->name = key + app.len + 1;
	g->name_len = name.len;
	g->limit = limit;
	members_init(&g->members);
	list_init(&g->replicas);
	list_push(&p->groups, &g->at);
	return (g);
}

void
group_free(struct placement *p, struct group *g)
{
	if (g->nreplicas > 0)
		return;
	map_remove(&p->by_name, &g->by_name);
	list_remove(&g->at);
	set_clear(&g->members);
	free(g);
}

void
group_refresh(struct group *g)
{
	g->current = group_least(g, 1);
}

struct replica *
group_least(const struct group *g, int within)
{
	struct list	*e, *tmp;
	struct replica	*r, *best = NULL;

	list_each(e, tmp, &g->replicas) {
		r = list_entry(e, struct replica, at);
		if (within ? !replica_room(r) :
		    !site_room(r->site))
			continue;
		if (best == NULL ||
		    r->count + r->over < best->count + best->over)
			best = r;
	}
	return (best);
}

struct replica *
group_at(const struct group *g, const struct site *s)
{
	struct list	*e, *tmp;

	list_each(e, tmp, &g->replicas)
		if (list_entry(e, struct replica, at)->site == s)
			return (list_entry(e, struct replica, at));
	return (NULL);
}

struct replica *
replica_new(struct placement *p, struct group *g, struct site *s, uint64_t id)
{
	struct replica	*r;

	while (id == 0) {
		id = p->next_replica++;
		if (map_find(&p->replicas, &id, sizeof(id)) != NULL)
			id = 0;
	}
	if ((r = calloc(1, sizeof(*r))) == NULL)
		return (NULL);
	r->id = id;
	if (map_insert(&p->replicas, &r->by_id, &r->id, sizeof(r->id)) == -1) {
		free(r);
		return (NULL);
	}
	r->group = g;
	r->site = s;
	list_push(&g->replicas, &r->at);
	g->nreplicas++;
	list_push(&s->replicas, &r->at_site);
	s->nreplicas++;
	return (r);
}

void
replica_free(struct placement *p, struct replica *r, int tell)
{
	struct group	*g = r->group;

	map_remove(&p->replicas, &r->by_id);
	list_remove(&r->at);
	g->nreplicas--;
	list_remove(&r->at_site);
	r->site->nreplicas--;
	group_refresh(g);
	if (r->lost.failed)
		log_warn("replica id=%016" PRIx64 " who was lost is not known "
		    "in full: no memory", r->id);
	if (tell && p->ops->replica_ended != NULL)
		p->ops->replica_ended(r, p->arg);
	buf_clear(&r->lost);
	free(r);
	group_free(p, g);
}

int
site_room(const struct site *s)
{
	return (s->usable && !s->leaving && s->count < s->capacity);
}

int
replica_room(const struct replica *r)
{
	return (r->count < r->group->limit && site_room(r->site));
}
