/* What this process serves: its controllers by name, and the hooks. */
#ifndef SHARDD_APE_REGISTRY_H
#define SHARDD_APE_REGISTRY_H

#include "common/map.h"
#include "shardd/kennel-ape.h"

struct endpoint {
	struct map_node	 by_name;
	ape_controller_fn *fn;
	char		 name[];
};

/* The one of this name, which is in lower case and without a '/' in front; NULL:
 * none. */
const struct endpoint *registry_find(const char *name, size_t len);
/* Never NULL. */
const struct ape_hooks *registry_hooks(void);

#endif
