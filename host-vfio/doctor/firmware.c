#include "doctor/firmware.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

static const struct {
	const char *maker; /* the start of DMI's board or system maker */
	const char *intel, *amd;
} places[] = {
	{"ASUS",
		"Advanced > System Agent (SA) Configuration > VT-d, and Advanced > CPU "
		"Configuration > Intel (VMX) Virtualization Technology",
		"Advanced > AMD CBS > NBIO Common Options > IOMMU, and Advanced > CPU "
		"Configuration > SVM Mode"},
	{"Gigabyte", "Settings > Miscellaneous > VT-d, or Chipset > VT-d",
		"Settings > AMD CBS > NBIO Common Options > IOMMU, or Settings > Miscellaneous > "
		"IOMMU"},
	{"Micro-Star", "OC > CPU Features > Intel VT-D Tech",
		"OC > Advanced CPU Configuration > AMD CBS > NBIO Common Options > IOMMU"},
	{"ASRock", "Advanced > Chipset Configuration > VT-d",
		"Advanced > AMD CBS > NBIO Common Options > IOMMU"},
	{"LENOVO", "Security > Virtualization > Intel VT-d Feature",
		"Security > Virtualization > AMD-V or IOMMU"},
	{"Dell", "Virtualization Support > Intel VT for Direct I/O",
		"Virtualization Support > IOMMU"},
	{"HP",
		"Advanced or Security > System Security > Virtualization Technology for Directed "
		"I/O (VTd)",
		"Advanced or Security > System Security > DMA Protection or AMD IOMMU"},
	{"Hewlett-Packard", "Security > System Security > Virtualization Technology Directed I/O",
		"Security > System Security > AMD IOMMU"},
	{"Supermicro",
		"Advanced > Chipset Configuration > North Bridge > IIO Configuration > Intel VT "
		"for Directed I/O",
		"Advanced > NB Configuration > IOMMU"},
};

const char *firmware_iommu_place(const char *maker, bool intel) {
	for (size_t i = 0; maker && i < sizeof(places) / sizeof(places[0]); i++) {
		if (strncasecmp(maker, places[i].maker, strlen(places[i].maker)) == 0) {
			return intel ? places[i].intel : places[i].amd;
		}
	}
	return NULL;
}
