/* What this process serves. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "shardd/ape/registry.h"

#define REGISTRY_NAME_MAX	256

static struct map	 endpoints;
static const struct ape_hooks *hooks;

int
ape_controller(const char *name, ape_controller_fn *fn)
{
	struct endpoint	*e;
	struct map_node	*n;
	size_t		 len = name == NULL ? 0 : strlen(name);

	errno = EINVAL;
	if (fn == NULL || len == 0 || len > REGISTRY_NAME_MAX || *name == '/')
		return (-1);
	for (size_t i = 0; i < len; i++)
		if (name[i] >= 'A' && name[i] <= 'Z')
			return (-1);
	if ((n = map_find(&endpoints, name, len)) != NULL) {
		container_of(n, struct endpoint, by_name)->fn = fn;
		return (0);
	}
	if ((e = malloc(sizeof(*e) + len + 1)) == NULL)
		return (-1);
	e->fn = fn;
	memcpy(e->name, name, len + 1);
	if (map_insert(&endpoints, &e->by_name, e->name, len) == 0)
		return (0);
	free(e);
	return (-1);
}

const struct endpoint *
registry_find(const char *name, size_t len)
{
	struct map_node	*n = map_find(&endpoints, name, len);

	return (n == NULL ? NULL : container_of(n, struct endpoint, by_name));
}

void
ape_set_hooks(const struct ape_hooks *h)
{
	hooks = h;
}

const struct ape_hooks *
registry_hooks(void)
{
	static const struct ape_hooks	 none;

	return (hooks != NULL ? hooks : &none);
}
