/* The applications of a worker: their names, and what each takes. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/log.h"
#include "proto/limits.h"
#include "shardd/kennel.h"
#include "shardd/options.h"
#include "shardd/session/applications.h"

const struct kennel_app *
applications_find(const struct applications *a, struct slice name)
{
	for (size_t i = 0; i < a->n; i++)
		if (a->at[i].name == NULL || slice_is(name, a->at[i].name))
			return (&a->at[i]);
	/* What routes say that do not know the names. */
	return (slice_is(name, "main") && a->n > 0 ? &a->at[0] : NULL);
}

int
applications_limit(struct applications *a, const struct options *o)
{
	const char	*value;
	char		 key[APP_MAX + sizeof("_message_max")];
	uint64_t	 n;

	free(a->message_max);
	if ((a->message_max = calloc(a->n, sizeof(*a->message_max))) == NULL ||
	    (a->places == NULL &&
	    (a->places = calloc(a->n, sizeof(*a->places))) == NULL))
		return (-1);
	for (size_t i = 0; i < a->n; i++) {
		n = a->at[i].message_max;
		if (a->at[i].name != NULL) {
			snprintf(key, sizeof(key), "%s_message_max",
			    a->at[i].name);
			if ((value = options_get(o, key)) != NULL)
				slice_u64(slice_str(value), UINT32_MAX, &n);
		}
		a->message_max[i] = n == 0 || n > o->message_max ?
		    o->message_max : (size_t)n;
	}
	return (0);
}

size_t
applications_message_max(const struct applications *a,
    const struct kennel_app *app)
{
	return (a->message_max[app - a->at]);
}

uint32_t *
applications_place(const struct applications *a, const struct kennel_app *app)
{
	return (&a->places[app - a->at]);
}

void
applications_clear(struct applications *a)
{
	free(a->message_max);
	free(a->places);
}

int
applications_launch(struct applications *a)
{
	const struct kennel_app	*app;

	for (; a->launched < a->n; a->launched++) {
		app = &a->at[a->launched];
		if (app->onlaunch == NULL || app->onlaunch(app) == 0)
			continue;
		log_warn("app=%s does not begin: onlaunch failed",
		    app->name == NULL ? "main" : app->name);
		return (-1);
	}
	return (0);
}

void
applications_exit(struct applications *a)
{
	const struct kennel_app	*app;

	while (a->launched > 0) {
		app = &a->at[--a->launched];
		if (app->onexit != NULL)
			app->onexit(app);
	}
}
