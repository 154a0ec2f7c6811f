/* Hosts and links, and the cheapest path to each host. */
#include <errno.h>
#include <stdlib.h>

#include "shardd/events/graph.h"

int
graph_init(struct graph *g, struct slice host)
{
	*g = (struct graph){ .stale = 1 };
	return (graph_host(g, host, 1) == 0 ? 0 : -1);
}

/* Link i ends; the last one takes its place. */
static void
graph_drop(struct graph *g, size_t i)
{
	free(g->links[i].id);
	g->links[i] = g->links[--g->n];
	g->stale = 1;
}

void
graph_clear(struct graph *g)
{
	while (g->n > 0)
		graph_drop(g, g->n - 1);
	free(g->links);
	for (unsigned i = 0; i < GRAPH_HOSTS; i++)
		free(g->hosts[i].name);
	*g = (struct graph){ 0 };
}

int
graph_host(struct graph *g, struct slice name, int make)
{
	int	 space = -1;

	for (unsigned i = 0; i < GRAPH_HOSTS; i++)
		if (g->hosts[i].name == NULL) {
			if (space == -1)
				space = (int)i;
		} else if (slice_eq(graph_name(g, i), name))
			return ((int)i);
	if (!make || space == -1 ||
	    (g->hosts[space].name = slice_dup(name)) == NULL)
		return (-1);
	g->hosts[space].len = name.len;
	g->hosts[space].far = -1;
	g->hosts[space].first = NULL;
	return (space);
}

/* That link, or NULL. */
static struct graph_link *
graph_find(const struct graph *g, unsigned source, unsigned destination,
    struct slice id)
{
	struct graph_link	*l;

	for (size_t i = 0; i < g->n; i++) {
		l = &g->links[i];
		if (l->source == source && l->destination == destination &&
		    slice_eq(slice_of(l->id, l->id_len), id))
			return (l);
	}
	return (NULL);
}

int
graph_link(struct graph *g, struct slice source, struct slice destination,
    struct slice id, double cost, uint64_t number)
{
	struct graph_link	*l;
	size_t			 cap = g->cap == 0 ? 16 : g->cap * 2;
	int			 from = graph_host(g, source, 1);
	int			 to = graph_host(g, destination, 1);

	errno = ENOSPC;
	if (from == -1 || to == -1)
		return (-1);
	if ((l = graph_find(g, (unsigned)from, (unsigned)to, id)) != NULL) {
		if (l->cost == cost)
			return (0);
		l->cost = cost;
		g->stale = 1;
		return (1);
	}
	if (g->n == GRAPH_LINKS)
		return (-1);
	if (g->n == g->cap) {
		if ((l = realloc(g->links, cap * sizeof(*l))) == NULL)
			return (-1);
		g->links = l;
		g->cap = cap;
	}
	l = &g->links[g->n];
	*l = (struct graph_link){ (unsigned)from, (unsigned)to, cost, number,
	    slice_dup(id), id.len };
	g->stale = 1;			/* paths pointed into what has moved */
	if (l->id == NULL)
		return (-1);
	g->n++;
	return (1);
}

int
graph_unlink(struct graph *g, struct slice source, struct slice destination,
    struct slice id)
{
	struct graph_link	*l;
	int			 from = graph_host(g, source, 0);
	int			 to = graph_host(g, destination, 0);

	if (from == -1 || to == -1 || (l = graph_find(g, (unsigned)from,
	    (unsigned)to, id)) == NULL)
		return (0);
	graph_drop(g, (size_t)(l - g->links));
	return (1);
}

void
graph_forget(struct graph *g, unsigned host)
{
	for (size_t i = 0; i < g->n; )
		if (g->links[i].source == host ||
		    g->links[i].destination == host)
			graph_drop(g, i);
		else
			i++;
	free(g->hosts[host].name);
	g->hosts[host] = (struct graph_host){ .far = -1 };
	g->stale = 1;
}

/* ---- paths ---- */

/* Is the link a before b?  Equal paths go over the first of their links, wherever they are
 * found from. */
static int
graph_before(const struct graph_link *a, const struct graph_link *b)
{
	size_t	 n = a->id_len < b->id_len ? a->id_len : b->id_len;
	int	 c = memcmp(a->id, b->id, n);

	return (c != 0 ? c < 0 : a->id_len < b->id_len);
}

/* l leads from a host whose path is known. */
static void
graph_relax(struct graph *g, const struct graph_link *l)
{
	const struct graph_host	*from = &g->hosts[l->source];
	struct graph_host	*to = &g->hosts[l->destination];
	const struct graph_link	*first = l->source == 0 ? l : from->first;
	double			 far = from->far + l->cost + 1;

	if (l->destination == 0 || (l->source == 0 && l->number == 0))
		return;
	if (to->far < 0 || far < to->far || (far == to->far &&
	    graph_before(first, to->first))) {
		to->far = far;
		to->first = first;
	}
}

/* Dijkstra, from host 0. */
static void
graph_paths(struct graph *g)
{
	uint8_t	 done[GRAPH_HOSTS] = { 0 };
	int	 near;

	for (unsigned i = 0; i < GRAPH_HOSTS; i++) {
		g->hosts[i].far = i == 0 ? 0 : -1;
		g->hosts[i].first = NULL;
	}
	g->stale = 0;
	for (;;) {
		near = -1;
		for (unsigned i = 0; i < GRAPH_HOSTS; i++)
			if (!done[i] && g->hosts[i].far >= 0 && (near == -1 ||
			    g->hosts[i].far < g->hosts[near].far))
				near = (int)i;
		if (near == -1)
			return;
		done[near] = 1;
		for (size_t i = 0; i < g->n; i++)
			if (g->links[i].source == (unsigned)near)
				graph_relax(g, &g->links[i]);
	}
}

const struct graph_link *
graph_way(struct graph *g, unsigned host)
{
	if (g->stale)
		graph_paths(g);
	if (g->hosts[host].first == NULL)
		return (NULL);
	for (size_t i = 0; i < g->n; i++)
		if (g->links[i].source == host)
			return (g->hosts[host].first);
	return (NULL);
}
