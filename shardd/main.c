/* shardd: the worker with the built-in applications. */
#include <stdlib.h>

#include "shardd/apps/apps.h"

int
main(int argc, char **argv)
{
	const struct kennel_app apps[] = { front_app, chat_app, pact_app,
				    echo_app, ape_app, app_events() };

	return (kennel_worker_main(argc, argv, apps,
	    sizeof(apps) / sizeof(apps[0])));
}
