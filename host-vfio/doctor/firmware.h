#ifndef HOST_DOCTOR_FIRMWARE_H
#define HOST_DOCTOR_FIRMWARE_H

#include <stdbool.h>

/* Where in the firmware's set-up of a maker's boards and machines (as DMI names the maker) the
 * IOMMU is switched on, menu by menu; NULL when that is not known here. Menus differ between
 * models: it is where to look first. */
const char *firmware_iommu_place(const char *maker, bool intel);

#endif
